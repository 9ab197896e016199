"""ATT&CK ids across its version 19, which renumbered what was under Impair Defenses (T1562) and Clear Windows Event Logs.

Source: MITRE ATT&CK v19, the revoked ids and their successors.
"""

SUCCESSORS = {
    "T1562": "T1685",
    "T1562.001": "T1685",
    "T1562.002": "T1685.001",
    "T1562.003": "T1690",
    "T1562.004": "T1686",
    "T1562.006": "T1685",
    "T1562.007": "T1686.001",
    "T1562.008": "T1685.002",
    "T1562.009": "T1688",
    "T1562.010": "T1689",
    "T1562.011": "T1685.003",
    "T1562.012": "T1685.004",
    "T1562.013": "T1686.002",
    "T1070.001": "T1685.005",
    "T1070.002": "T1685.006",
}
"""A revoked id to its successor."""


def covers(claimed: str, wanted: tuple[str, ...]) -> bool:
    """Whether a detection that claims a technique sees one of those wanted: the same, or a sub-technique of it.

    A claim by an old id counts for its successor, and the other way round.
    """
    both = (claimed, SUCCESSORS.get(claimed, claimed))
    names = {*wanted, *(SUCCESSORS[w] for w in wanted if w in SUCCESSORS)}
    return any(c == w or c.startswith(f"{w}.") for c in both for w in names)
