"""The only place that imports lava. Everything here runs in a child process started by spikeport.lava_runtime.lava_backend.child."""
