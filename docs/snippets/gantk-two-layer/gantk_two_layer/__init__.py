from gan_toolkit import Component, hookimpl


@hookimpl
def gantk_components() -> list[Component]:
    return [
        Component(
            "architecture",
            "two-layer",
            "gantk_two_layer.networks:TwoLayer",
            "Fully connected networks",
        ),
        Component(
            "loss", "squared-hinge", "gantk_two_layer.losses:SquaredHinge", "Squared hinge loss"
        ),
        Component(
            "recipe",
            "two-layer",
            "gantk_two_layer:two-layer.toml",
            "Two layers on the bundled digits",
        ),
    ]
