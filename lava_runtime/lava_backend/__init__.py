"""The only place that imports lava. Everything here runs in a child process started by lava_runtime.child."""
