"""Dispenses without their end-to-end token, over its value, or a weakened enforcement (XFS4IoT)."""

import polars as pl

from jackstop.detections._cases import Case, device
from jackstop.detections._claims import Detection, Text, View, claims, none
from jackstop.model.settings import MINUTE

META = Detection(
    title=Text("End-to-end dispense security was bypassed", "エンドツーエンド払出保護の迂回"),
    why=Text(
        "The dispenser accepted an order without the host's signature, over its value, or its enforcement was lowered.",
        "ホスト署名なし、署名額超過、または署名強制の引き下げが見られます。",
    ),
    first_step=Text(
        "Check the dispenser's security configuration and its key loading log.",
        "払出機のセキュリティ設定と鍵のロード記録を確認してください。",
    ),
    level="high",
    needs=("cash",),
    attack=("T1562", "T1685"),
    gaps="Tokens are checked for presence and value, not cryptographically: that needs the host's key.",
    stage="impairment",
)


BURST, WITHIN = 3, 10 * MINUTE


def detect(view: View) -> pl.DataFrame:
    """Orders over their token, refused tokens in series, and enforcement that fell."""
    cash = view.table("cash")
    if cash is None:
        return none()
    found = [c for c in (_over(view), _without(view), _refused(cash), _lowered(cash)) if c.height]
    return pl.concat(found) if found else none()


def _over(view: View) -> pl.DataFrame:
    if view.movements["token_amount"].null_count() == view.movements.height:
        return none()
    over = view.movements.filter(pl.col("token_amount").is_not_null() & (pl.col("picked") > pl.col("token_amount")))
    return claims(over, "critical", key="id", decided="deadline", amount="picked", records=pl.col("records"))


def _without(view: View) -> pl.DataFrame:
    """Accepted orders without a token at a terminal whose earlier ones had one."""
    if view.movements["token"].null_count() == view.movements.height:
        return none()
    used = pl.col("token").is_not_null().cast(pl.Int32).cum_sum().over("terminal", order_by="at") > 0
    bare = view.movements.with_columns(used=used).filter(pl.col("used") & pl.col("token").is_null() & pl.col("token_none"))
    return claims(bare, "high", key="id", decided="deadline", amount="picked", records=pl.col("records"))


def _refused(cash: pl.DataFrame) -> pl.DataFrame:
    refused = cash.filter(pl.col("activity") == "token-refused")
    if refused.height < BURST:
        return none()
    refused = refused.sort("terminal", "at", "event_id")
    earlier = pl.col("at").shift(BURST - 1).over("terminal")
    return claims(refused.filter(pl.col("at") - earlier <= WITHIN), "high", detail=pl.col("result_name"))


def _lowered(cash: pl.DataFrame) -> pl.DataFrame:
    level = cash.filter(pl.col("activity") == "security-level")
    if level.height < 2:
        return none()
    level = level.sort("terminal", "at", "event_id")
    before = pl.col("state").shift(1).over("terminal")
    return claims(
        level.filter((before == "enforced") & (pl.col("state") != "enforced")), "high", detail=pl.col("state").cast(pl.String)
    )


TESTS = (
    Case(
        "enforcement is switched off",
        (device(0, "security-level", state="enforced"), device(60, "security-level", state="not-enforced")),
        fires=True,
    ),
    Case(
        "three tokens are refused",
        tuple(device(60 + i, "token-refused", result_name="invalidTokenHMAC") for i in range(3)),
        fires=True,
    ),
    Case("one token is refused", (device(60, "token-refused", result_name="invalidTokenHMAC"),), fires=False),
    Case(
        "enforcement stays on",
        (device(0, "security-level", state="enforced"), device(60, "security-level", state="enforced")),
        fires=False,
    ),
    Case(
        "the trace does not arrive",
        (device(0, "security-level", state="enforced"), device(60, "security-level", state="not-enforced")),
        fires=False,
        missing=("nextware-trace",),
    ),
)
