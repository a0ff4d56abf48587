import gan_toolkit

run = gan_toolkit.train(
    arch="dcgan",
    data="digits",
    settings={"steps": 500, "arch.width": 16},
)
print(run.path)
print(run.rows()[-1])
