"""What sees where things are: motion capture, AprilTags, a simulated robot that knows."""
