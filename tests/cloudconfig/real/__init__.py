"""What the programs that read our renders think of them: Debian's cloud-init and Ignition, run for real."""
