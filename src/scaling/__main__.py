"""Run the command line as `python -m scaling`."""

from scaling.cli import main

main()
