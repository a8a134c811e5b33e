"""ROS 2: nodes for a policy and for robots, over standard messages. Everything here needs `rclpy`."""
