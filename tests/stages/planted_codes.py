"""The codes of planted_truth.py, by construction: rows draw features of the largest level, what they descend from
fires along, every level also fires alone now and then, hubs fire on 30 % of the rows. No encoder is involved:
rows that go through untrained encoders do not carry the truth (splitting.md, section 10)."""
import numpy as np

DOCUMENT, TOPIC, TOPIC_SHARE, HUB_RATE = 100, 30, 0.25, 0.30


class Events:
    """Firings: row, feature, value; no pair of row and feature twice."""

    def __init__(self, row, feature, value):
        latents = int(feature.max()) + 1
        key = row.astype(np.int64) * latents + feature
        order = np.lexsort((-value, key))
        first = np.concatenate([[True], key[order][1:] != key[order][:-1]])
        keep = order[first]
        self.row, self.feature, self.value = row[keep], feature[keep], value[keep]

    @staticmethod
    def joined(parts):
        return Events(*(np.concatenate(columns) for columns in zip(*parts)))


def draw_alone(random, rows, per_row, weights, topics=True):
    """(row, feature, value) of `per_row` draws a row by weight; a part of them by the document's topic."""
    count = int(rows * per_row)
    row = random.integers(0, rows, count) if per_row != int(per_row) else np.repeat(np.arange(rows), int(per_row))
    chances = weights / weights.sum()
    feature = random.choice(len(weights), len(row), p=chances)
    if topics:
        topic = random.choice(len(weights), (rows // DOCUMENT + 1, TOPIC), p=chances)
        by_topic = random.random(len(row)) < TOPIC_SHARE
        picks = topic[row // DOCUMENT, random.integers(0, TOPIC, len(row))]
        feature = np.where(by_topic, picks, feature)
    return row, feature, random.lognormal(0, 0.3, len(row))


def draw_rare(random, rows, features):
    """8 to 20 firings each, anywhere."""
    counts = random.integers(8, 21, len(features))
    feature = np.repeat(features, counts)
    row = np.concatenate([random.choice(rows, count, replace=False) for count in counts])
    return row, feature, random.lognormal(0, 0.3, len(row))


def draw_hubs(random, rows, hubs):
    fires = random.random((rows, len(hubs))) < HUB_RATE
    row, which = np.nonzero(fires)
    return row, hubs[which], random.lognormal(0, 0.3, len(row))


def weights_of(random, level, is_caused):
    """How often features are drawn on their own. Those that nothing larger makes fire are drawn more often."""
    weights = np.clip(random.lognormal(0, 0.5, level.latents), 0.5, 2.5)
    sparse = np.isin(level.kind, ["absorbed", "novel", "novel_firing", "skip", "alone", "antipode", "companion"])
    weights[sparse] = np.maximum(weights[sparse], 1.0)
    weights[~is_caused] *= 2
    never = np.isin(level.kind, ["dead", "unseen", "hub", "copy"]) | level.is_rare()
    weights[never] = 0
    return weights


def caused(random, level, events, slots):
    """What the firings of a level make fire one level down."""
    for slot in slots:
        cause, chance = (level.cause[:, slot], level.chance[:, slot]) if slot >= 0 else (
            level.skip_cause, np.full(level.latents, 0.9))
        fires = (cause[events.feature] >= 0) & (random.random(len(events.row)) < chance[events.feature])
        row, feature = events.row[fires], cause[events.feature[fires]]
        yield row, feature, events.value[fires] * random.uniform(0.7, 1.3, len(row))


def copies(random, level, events):
    """Near duplicates fire on a part of what they repeat."""
    features = np.flatnonzero(level.copy_of >= 0)
    copy = np.full(level.latents, -1)
    copy[level.copy_of[features]] = features
    fires = (copy[events.feature] >= 0) & (random.random(len(events.row)) < 0.6)
    return events.row[fires], copy[events.feature[fires]], events.value[fires]


def plant_codes(random, levels, rows, largest_per_row):
    """Events of every level, smallest first, and the drawn-alone events of each (for the twin)."""
    found, from_above, skipped = [None] * len(levels), [], []
    for index in reversed(range(len(levels))):
        level = levels[index]
        is_caused = np.zeros(level.latents, bool)
        for _, feature, _ in from_above:
            is_caused[feature] = True
        if index == len(levels) - 1:
            is_caused[:] = True
        per_row = largest_per_row if index == len(levels) - 1 else 2.5
        parts = [draw_alone(random, rows, per_row, weights_of(random, level, is_caused)),
                 draw_hubs(random, rows, np.flatnonzero(level.kind == "hub"))] + from_above
        rare = np.flatnonzero(level.is_rare())
        if len(rare) > 0:
            parts.append(draw_rare(random, rows, rare))
        events = Events.joined(parts)
        events = Events.joined([(events.row, events.feature, events.value), copies(random, level, events)])
        found[index] = events
        from_above = skipped + list(caused(random, level, events, range(4)))
        skipped = list(caused(random, level, events, [-1]))
    return found


def twin_codes(random, twin, found, events, rows):
    """What was found again fires with what it repeats; the rest fires alone."""
    again = np.flatnonzero(found >= 0)
    copy = np.full(twin.latents, -1)
    copy[found[again]] = again
    fires = (copy[events.feature] >= 0) & (random.random(len(events.row)) < 0.93)
    own = np.where((found < 0) & (twin.kind != "dead"), 1.0, 0.0)
    value = events.value[fires] * random.uniform(0.9, 1.1, fires.sum())
    return Events.joined([(events.row[fires], copy[events.feature[fires]], value),
                          draw_alone(random, rows, 5, own)])
