"""`scaling doctor`: what of this machine, its GPUs, its disks and its cluster would stop a study or slow it down."""
