def write(t, r):
    return b""
