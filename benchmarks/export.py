"""End to end from one large host export (switch-csv), 1, 2, 4 and 8 times as long: seconds, rows a second, peak memory.

There are no device logs, so this measures reading, folding and judging authorisations; `growth` measures whole fleets.
"""

import random
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.growth import HEAD, measure

ROWS, TERMINALS = 500_000, 500
TIMES = (1, 2, 4, 8)


def write(folder, rows):
    """A bundle with one host export: four requests a second over all terminals, one in twenty declined."""
    (folder / "logs").mkdir(parents=True)
    chance, start = random.Random(1), datetime(2026, 3, 1)
    with (folder / "logs" / "host.csv").open("w") as out:
        out.write("time,terminal_id,type,amount,currency,response,stan,rrn,auth_code\n")
        for i in range(rows):
            time = start + timedelta(milliseconds=i * 250 + chance.randrange(200))
            response = "00" if chance.random() < 0.95 else "51"
            amount = chance.randrange(1, 30) * 2000
            stan, terminal = f"{i % 1_000_000:06d}", f"ATM{chance.randrange(TERMINALS):05d}"
            out.write(
                f"{time.isoformat(timespec='milliseconds')}Z,{terminal},withdrawal,{amount},USD,{response},{stan},{i:012d},{stan}\n"
            )
    names = "\n".join(f'[[terminal]]\nid = "A{i:05d}"\nterminal_id = "ATM{i:05d}"' for i in range(TERMINALS))
    source = '[[source]]\npath = "logs/host.csv"\nformat = "switch-csv"\nlatency = "5s"\n'
    (folder / "fleet.toml").write_text(f'[fleet]\nname = "x"\ntimezone = "UTC"\ncurrency = "USD"\n{names}\n{source}')


def run():
    print(HEAD)
    with TemporaryDirectory() as folder:
        for times in TIMES:
            place = Path(folder) / str(times)
            write(place, ROWS * times)
            measure(times, place)
