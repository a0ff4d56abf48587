import gan_toolkit

generator = gan_toolkit.load("my-digits")
samples = generator.sample(16, seed=1)  # float32 [16, 1, 16, 16] in -1 … 1
images = generator.images(16, seed=1)  # the same sixteen as PIL images
images[0].save("one.png")
