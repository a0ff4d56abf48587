from PIL import Image

with Image.open("grid.png") as picture:
    facts = {key: text for key, text in picture.info.items() if str(key).startswith("gantk:")}
print(facts)
