import random
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

random.seed(0)
for letter in "ABCDE":
    folder = Path("photos") / letter
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(200):
        picture = Image.new("RGB", (48, 40))
        place = (random.uniform(20, 28), random.uniform(17, 23))
        colour = tuple(random.randrange(100, 256) for _ in "RGB")
        font = ImageFont.load_default(random.randint(22, 34))
        ImageDraw.Draw(picture).text(place, letter, colour, font, anchor="mm")
        picture.save(folder / f"{number:03}.png")
