"""What the examples train on: scikit-learn's handwritten digits, always split the same way."""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

pixels, classes = load_digits(return_X_y=True)
images = (pixels / 16).astype(np.float32)
train_x, valid_x, train_y, valid_y = train_test_split(
    images, classes.astype(np.int64), test_size=500, stratify=classes, random_state=0
)
