import gan_toolkit

run = gan_toolkit.train(
    arch="dcgan",
    data="digits",
    settings={"steps": 200},
    out="runs/short",
)
run = gan_toolkit.train(resume="runs/short", settings={"steps": 300})
print(run.rows()[-1]["step"])
