"""`python -m gan_toolkit` is `gantk`."""

from gan_toolkit.cli import main

if __name__ == "__main__":
    main()
