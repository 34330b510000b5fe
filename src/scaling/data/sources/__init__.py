"""The sources of images, one file each: a file that assigns ``source``, or ``sources`` where it has several, adds them."""
