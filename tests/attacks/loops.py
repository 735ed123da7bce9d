"""The attacks of ``attacks.language`` as their papers write them: one text, one token at a time.

A text is a row of each signal: floats, NaN where there is no token; copies are rows of rows.
"""

from math import exp, floor, isnan, log, nan, sqrt

WINDOWS = (2, 3, 4, 6, 9, 13, 18, 25, 32, 40)


def valid(*rows):
    """Tokens of a text that every array has, impossible ones at -10,000 nats."""
    return [
        tuple(max(x, -1e4) for x in token)
        for token in zip(*rows, strict=True)
        if not any(map(isnan, token))
    ]


def tokens(row):
    return [x for (x,) in valid(row)]


def average(values):
    values = [x for x in values if not isnan(x)]
    return sum(values) / len(values) if values else nan


def count(values, k):
    return max(1, floor(k * len(values) + 1e-9))


def lowest(values, k):
    return average(sorted(values)[: count(values, k)])


def cutoff(values, k):
    return sorted(values)[count(values, k) - 1] if values else nan


def windows(values, width):
    """Every whole window of a list, or the one window of a list that is too short."""
    if len(values) < width:
        return [values] if values else []
    return [values[i : i + width] for i in range(len(values) - width + 1)]


def loss(lp, *, reduction="mean"):
    values = tokens(lp)
    return sum(values) if reduction == "sum" and values else average(values)


def zlib(lp, length, *, numerator="mean"):
    return loss(lp, reduction=numerator) / length


def over(one, other):
    return (one + 1e-10) / (other + 1e-10)


def lowercase(lp, lowered, text, *, form="ratio"):
    if tokens(lp) and text == text.lower():
        return 0.0 if form == "difference" else 1.0
    low, own = -loss(lowered[0]), -loss(lp)
    return low - own if form == "difference" else over(low, own)


def min_k(lp, *, k=0.2, window=1, stride=1):
    means = [average(part) for part in windows(tokens(lp), window)]
    return lowest(means[::stride], k)


def min_k_plus_plus(lp, mean, std, *, k=0.2, clip=1e9):
    scaled = [(x - mu) / sqrt(max(sd * sd, 1e-8)) for x, mu, sd in valid(lp, mean, std)]
    return lowest([min(max(z, -clip), clip) for z in scaled], k)


def surp(lp, mean, *, k=0.4, e=2.0, unsurprised="zero"):
    last = cutoff(tokens(lp), k)
    found = [x for x, h in valid(lp, mean) if x <= last and h < e]
    return 0.0 if tokens(lp) and not found and unsurprised == "zero" else average(found)


def gap_k(lp, top, std, *, w=3, k=0.2, scale="sigma"):
    gaps = []
    for x, best, sd in valid(lp, top, std):
        gaps.append((x - best) / (sqrt(max(sd * sd, 1e-8)) if scale == "sigma" else 1))
    if len(gaps) >= w:
        gaps = [average(part) for part in windows(gaps, w)]
    return lowest(gaps, k)


def dc_pdd(lp, ids, frequency, *, a=0.01, first_only=True):
    met, found = set(), []
    for x, one, f in valid(lp, ids, frequency):
        if not (first_only and one in met):
            found.append(min(exp(x) * log(1 / f), a))
        met.add(one)
    return average(found)


def reference_difference(lp, base):
    return average([x - b for x, b in valid(lp, base)])


def reference_ratio(lp, base):
    both = valid(lp, base)
    return -over(-average([x for x, _ in both]), -average([b for _, b in both]))


def ez_mia(lp, base, hit, *, c=1e-6, min_errors=2, few_errors="nan"):
    won = lost = errors = 0
    for x, b, correct in valid(lp, base, hit):
        if not correct:
            errors += 1
            won += max(x - b, 0)
            lost += max(b - x, 0)
    if errors < min_errors:
        return 0.0 if few_errors == "neutral" and valid(lp) else nan
    return log((won + c) / (lost + c))


def wbc(lp, base, *, windows=WINDOWS, ties=0.0):
    gains = [x - b for x, b in valid(lp, base)]
    return average([average(votes(gains, width, ties)) for width in windows])


def votes(gains, width, ties):
    totals = [sum(part) for part in windows(gains, width)]
    return [1.0 if total > 0 else ties * (total == 0) for total in totals]


def ht_mia(lp, base, *, k=0.2, hard_by="base", gain="probability", aggregate="mean"):
    both = valid(lp, base)
    last = cutoff([pair[hard_by == "base"] for pair in both], k)
    gains = []
    for x, b in both:
        if (b if hard_by == "base" else x) <= last:
            gains.append(x - b if gain == "logprob" else exp(x) - exp(b))
    return average([float(g > 0) for g in gains] if aggregate == "share" else gains)


def neighbourhood(lp, copies, *, standardise=False):
    found = [x for x in map(loss, copies) if not isnan(x)]
    score = loss(lp) - average(found)
    if not standardise:
        return score
    if len(found) < 2:
        return nan
    return score / max(1e-4, sqrt(average([(x - average(found)) ** 2 for x in found])))


def pac(lp, copies, *, most=0.05, least=0.3):
    def width(row):
        ranked = sorted(tokens(row))
        top, bottom = count(ranked, most), count(ranked, least)
        return average(ranked[::-1][:top]) - average(ranked[:bottom])

    return average(map(width, copies)) - width(lp)


def spv_mia(lp, copies, reference, reference_copies, *, log=False):
    def value(row):
        return loss(row) if log else exp(loss(row))

    def out(own, others):
        return value(own) - average(map(value, others))

    return out(lp, copies) - out(reference, reference_copies)


def spv_base(lp, copies, base, base_copies, *, log=False):
    return spv_mia(lp, copies, base, base_copies, log=log)


def recall(lp, after, *, form="ratio"):
    both = valid(lp, after)
    alone, told = average([-x for x, _ in both]), average([-y for _, y in both])
    return told - alone if form == "difference" else over(told, alone)


def con_recall(lp, after_others, after_members, *, g=0.5):
    every = valid(lp, after_others, after_members)
    alone, others, members = (-average([token[i] for token in every]) for i in range(3))
    return (others - g * members) / (alone + 1e-10)


def samia(recalls, sizes, *, weigh_by_zlib=False):
    return average([r * z if weigh_by_zlib else r for r, z in zip(recalls, sizes, strict=True)])


def hit_rate(hit):
    return average(hit)


def rewritten(gains, *, combine="max"):
    found = [x for x in gains if not isnan(x)]
    if not found:
        return nan
    return max(found) if combine == "max" else log(average([exp(x) for x in found]))


def semantic_neighbours(copies, base_copies):
    pairs = zip(copies, base_copies, strict=True)
    gains = [reference_difference(copy, base) for copy, base in pairs]
    found = [x for x in gains if not isnan(x)]
    return max(found) + log(average([exp(x - max(found)) for x in found])) if found else nan


def kept_tokens(lp, base, kept):
    return average([x - b for x, b, must in valid(lp, base, kept) if must])
