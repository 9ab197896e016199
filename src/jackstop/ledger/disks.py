"""Disks: the fixed disks a terminal has shown, so that another one in its place is noticed.

Source: Windows Partition/Diagnostic event 1006 (DiskNumber, BusType, SerialNumber); bus type 7 is USB.
"""

import polars as pl

KNOWN = {"terminal": pl.String, "disk": pl.String, "serial": pl.String, "at": pl.Int64}
MOST = 32
"""Disks of a terminal that are remembered, those shown last: events can name any number of them."""

_USB = ("7", "USB", "usb")


def seen(windows: pl.DataFrame) -> pl.DataFrame:
    """Fixed disks that rows of Partition/Diagnostic 1006 name: id, terminal, disk, serial, at, arrival, and the record."""
    told = windows.filter(pl.col("code").eq(1006) & pl.col("channel").str.contains("Partition", literal=True))
    if not told.height:
        return told
    field = {n: pl.col("data").str.json_path_match(f"$.{n}") for n in ("SerialNumber", "DiskNumber", "BusType", "Capacity")}
    return (
        told.with_columns(
            serial=field["SerialNumber"].str.strip_chars(), disk=field["DiskNumber"].fill_null("0"), bus=field["BusType"]
        )
        .filter(pl.col("serial").str.len_chars() > 0, ~pl.col("bus").is_in(_USB).fill_null(value=False))
        .filter(field["Capacity"].fill_null("1") != "0")
    )


def learn(known: pl.DataFrame, rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The disks known with these rows, and the rows that show another serial where one was known (`was`)."""
    ordered = rows.sort("at", "event_id")
    places = ["terminal", "disk"]
    joined = ordered.join(known.select(*places, old="serial"), on=places, how="left", maintain_order="left")
    was = pl.coalesce(pl.col("serial").shift(1).over(places), "old")
    changed = joined.with_columns(was=was).filter(pl.col("was").is_not_null() & (pl.col("was") != pl.col("serial"))).drop("old")
    newest = ordered.select(list(KNOWN)).unique(places, keep="last", maintain_order=True)
    together = pl.concat([known.join(newest, on=places, how="anti"), newest])
    return together.sort("at", maintain_order=True).group_by("terminal", maintain_order=True).tail(MOST), changed
