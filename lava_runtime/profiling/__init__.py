"""What a recorded run did and cost, by time step, core and layer."""
