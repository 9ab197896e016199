"""What an order says to people, in English and Japanese."""

from jackstop.actions import Order
from jackstop.model.money import show
from jackstop.policy.words import Text

SAYINGS: dict[str, Text] = {
    "out-of-service": Text("Take {place} out of service.", "{place}を取扱停止にしてください。"),
    "in-service": Text("Put {place} back into service.", "{place}を取扱再開してください。"),
    "dispatch-guard": Text(
        "Send a guard to {place}; nobody opens the machine.", "{place}へ警備員を派遣してください。筐体は開けないでください。"
    ),
    "notify-cit": Text(
        "Tell the cash carrier: {place}. No cash load until released.",
        "警送会社へ連絡：{place}。解除まで装填を中止してください。",
    ),
    "open-ticket": Text("Investigate {place}.", "{place}を調査してください。"),
    "preserve-evidence": Text("Keep the evidence of {place}.", "{place}の証拠を保全してください。"),
}


def saying(order: Order) -> str:
    """An order in one or two sentences."""
    place = order.terminal.id if order.terminal else ", ".join(order.told.terminals[:5]) or order.alert
    said = SAYINGS[order.kind]
    japanese = order.lang == "ja"
    text = (said.ja if japanese else said.en).replace("{place}", place)
    if order.told.title:
        money = f" {show(order.told.unexplained, order.told.currency)}" if order.told.unexplained and order.told.currency else ""
        text += f" {order.told.title} ({order.told.severity}){money}"
    return f"{text} {order.told.note}".strip()
