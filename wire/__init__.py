"""What travels between a unit and the centre, and the machines that keep it true. Pure and sans-I/O."""
