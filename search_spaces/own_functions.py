"""Functions that a space file names by `objective: {python: own_functions:FUNCTION}`."""

from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import train_test_split

x, y = load_digits(return_X_y=True)
x_train, x_held, y_train, y_held = train_test_split(x / 16, y, random_state=0)


def train(alpha, penalty, report, seed):
    """Train a linear model of scikit-learn, and report its accuracy on the held-out rows after each epoch."""
    model = SGDClassifier(alpha=alpha, penalty=penalty, random_state=seed)
    for epoch in range(1, 10):
        model.partial_fit(x_train, y_train, classes=range(10))
        report(model.score(x_held, y_held), epoch)
