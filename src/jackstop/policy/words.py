"""What the interlock's reasons and the limits' refusals say to people, in English and Japanese. Codes are stable."""

from typing import NamedTuple


class Text(NamedTuple):
    """Words in English and Japanese. (Those of detections bring the whole engine along, which policy does without.)"""

    en: str
    ja: str


REASONS: dict[str, Text] = {
    "out-of-hours": Text("outside payout hours ({detail})", "払い出し時間外です（{detail}）"),
    "door-open": Text("a door is open ({detail})", "扉が開いています（{detail}）"),
    "door-lock": Text("a door was opened a short while ago ({detail})", "扉が開けられた直後です（{detail}）"),
    "tamper": Text("a tamper sensor tripped and was not reset", "タンパー検知が解除されていません"),
    "sensors-dark": Text("doors and sensors have not been heard for too long", "扉・センサーの通信が途絶しています"),
    "boot": Text("boot integrity is in doubt ({detail})", "起動時の完全性に疑いがあります（{detail}）"),
    "restart": Text("the machine restarted unannounced a short while ago", "予定外の再起動の直後です"),
    "supervisor": Text("the machine is in {detail} mode", "保守モード中です（{detail}）"),
    "exposure": Text(
        "more than the cap would be paid within the window ({detail})", "一定時間の払い出し上限を超えます（{detail}）"
    ),
    "alert-open": Text("a grave alert is open ({detail})", "重大な警報が未解決です（{detail}）"),
    "unknown": Text("what the rule rests on is not known ({detail})", "判断に必要な情報がありません（{detail}）"),
    "stale": Text("what is known is too old", "情報が古く、判断できません"),
    "terminal-unknown": Text("the terminal is not in the fleet", "登録のない端末です"),
}
"""Code of a reason to its words; `{detail}` is what the reason adds."""

REFUSALS: dict[str, Text] = {
    "stopped": Text("response is stopped by the kill switch", "緊急停止中です"),
    "expired": Text("its time is over", "有効期限が切れています"),
    "quiet": Text("quiet hours of this kind of action", "静穏時間帯です"),
    "pause": Text("the same was done at this terminal a short while ago", "同じ端末への同じ処置の直後です"),
    "kind-per-hour": Text("enough actions of this kind within the hour", "この種別の一時間の上限に達しました"),
    "per-hour": Text("enough terminals were taken out of service within the hour", "一時間の停止台数の上限に達しました"),
    "region": Text("too much of the region would be out of service", "地域の停止台数の上限を超えます"),
    "fleet": Text("too much of the fleet would be out of service", "全体の停止台数の上限を超えます"),
}
"""Code of a limit's refusal to its words."""
