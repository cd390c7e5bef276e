"""Reinforcement learning in a table: does SARSA beat Q-learning, over a suite of grid worlds?

numpy only. Each run trains one algorithm with one seed on every world, and is scored by the
returns of its last 50 episodes, exploration included. The suite is compared by the interquartile
mean, as rliable has it; the world with a cliff by itself too, episode by episode.
"""

import numpy as np

import seedwise
from seedwise.comparison import Rule

ACTIONS = ((0, 1), (0, -1), (1, 0), (-1, 0))
WORLDS = {
    "field": {"width": 6, "height": 4},
    "slippery": {"width": 6, "height": 4, "slip": 0.2},
    "cliff": {"width": 6, "height": 4, "cliff": True},
    "long-cliff": {"width": 9, "height": 4, "cliff": True},
}
LONGEST = 40
"""Steps after which an episode ends."""


class World:
    """From the lower left corner to the lower right one: a step costs 1, a fall 100."""

    def __init__(self, rng, *, width, height, slip=0.0, cliff=False):
        self.rng, self.width, self.height = rng, width, height
        self.slip, self.cliff = slip, cliff
        self.goal = width - 1

    def step(self, state, action):
        """The next state, the reward, and whether the episode is over."""
        if self.rng.random() < self.slip:
            action = self.rng.integers(len(ACTIONS))
        up, right = ACTIONS[action]
        row = min(max(state // self.width + up, 0), self.height - 1)
        column = min(max(state % self.width + right, 0), self.width - 1)
        if self.cliff and row == 0 and 0 < column < self.width - 1:
            return 0, -100.0, False
        state = row * self.width + column
        return state, -1.0, state == self.goal


def returns(seed, world, *, on_policy, episodes=250, explore=0.1, rate=0.5):
    """Return of each of the last 50 episodes."""
    rng = seed.numpy("init")
    game = World(seed.numpy("augment"), **world)
    values = np.zeros((game.width * game.height, len(ACTIONS)))

    def act(state):
        explored = rng.random() < explore
        return rng.integers(len(ACTIONS)) if explored else values[state].argmax()

    found = np.zeros(episodes)
    for number in range(episodes):
        state, action = 0, act(0)
        for _ in range(LONGEST):
            after, reward, over = game.step(state, action)
            then = act(after)
            ahead = values[after, then] if on_policy else values[after].max()
            target = reward + (0.0 if over else ahead)
            values[state, action] += rate * (target - values[state, action])
            state, action, found[number] = after, then, found[number] + reward
            if over:
                break
    return found[-50:]


def q_learning(seed, **world):
    return {"scores": {"return": returns(seed, world, on_policy=False)}}


def sarsa(seed, **world):
    return {"scores": {"return": returns(seed, world, on_policy=True)}}


def q_learning_on_the_cliff(seed):
    return q_learning(seed, **WORLDS["cliff"])


def sarsa_on_the_cliff(seed):
    return sarsa(seed, **WORLDS["cliff"])


if __name__ == "__main__":
    better = {"return": "higher"}
    suite = seedwise.Study("worlds.db", tasks=WORLDS, better=better)
    suite.run({"q": q_learning, "sarsa": sarsa}, seeds=10, rule=Rule(over="iqm"))
    (over_worlds,) = suite.compare_tasks()
    print(over_worlds)

    cliff = seedwise.Study("cliff.db", better=better, called="episodes")
    cliff.run({"q": q_learning_on_the_cliff, "sarsa": sarsa_on_the_cliff}, seeds=10)
    print(cliff.compare("q", "sarsa"))
