import gan_toolkit

generator = gan_toolkit.load("mnist-dcgan")
generator.images(16, seed=1)[0].save("digit.png")
