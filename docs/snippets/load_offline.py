import gan_toolkit

generator = gan_toolkit.load("you/my-digits", offline=True)
