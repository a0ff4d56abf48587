from gan_toolkit import Component, hookimpl


@hookimpl
def gantk_components() -> list[Component]:
    return [
        Component("architecture", "mlp", "gantk_mlp.networks:MLP", "Fully connected networks"),
        Component("loss", "hinge", "gantk_mlp.losses:Hinge", "Hinge loss"),
        Component("recipe", "mlp", "gantk_mlp:mlp.toml", "MLP on the bundled digits"),
    ]
