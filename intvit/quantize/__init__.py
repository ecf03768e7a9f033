"""From a float ONNX model and calibration images to an integer model."""

from intvit.quantize.api import quantize
from intvit.quantize.recipe import RECIPES, Recipe, find_recipe

__all__ = ["RECIPES", "Recipe", "find_recipe", "quantize"]
