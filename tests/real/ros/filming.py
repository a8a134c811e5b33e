"""A camera in a process of its own, `python filming.py COUNT RATE_HZ`: frame i says i in its stamp."""

from __future__ import annotations

import array
import sys
import time

import rclpy
from sensor_msgs.msg import Image

from burnish.real.ros import qos
from burnish.real.ros.profile import use_profile

use_profile()
rclpy.init()
node = rclpy.create_node("camera")
publisher = node.create_publisher(Image, "/film", qos.SENSOR)
end = time.monotonic() + 30
while not publisher.get_subscription_count() and time.monotonic() < end:
    time.sleep(0.05)
time.sleep(0.5)
data = array.array("B", bytes(640 * 480 * 3))
due = time.monotonic()
for count in range(int(sys.argv[1])):
    image = Image(height=480, width=640, encoding="rgb8", step=3 * 640, data=data)
    image.header.stamp.sec = count
    publisher.publish(image)
    due += 1 / float(sys.argv[2])
    time.sleep(max(0.0, due - time.monotonic()))
time.sleep(0.5)
rclpy.shutdown()
