import gan_toolkit

run = gan_toolkit.train(
    arch="dcgan",
    data="digits",
    settings={"steps": 500},
)
print(run.path)
print(run.rows()[-1])
