def base(seed):
    g = seed.numpy("order")
    return {"wer": float(0.23 + 0.002 * g.normal())}


def new(seed):
    g = seed.numpy("order")
    return {"wer": float(0.20 + 0.002 * g.normal())}
