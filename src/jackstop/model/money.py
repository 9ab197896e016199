"""Money as integers: minor units of an ISO 4217 currency."""

_EXPONENTS = {
    **dict.fromkeys("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF".split(), 0),
    **dict.fromkeys("BHD IQD JOD KWD LYD OMR TND".split(), 3),
}


def exponent(currency: str) -> int:
    """Number of decimal digits of a currency's minor unit (ISO 4217, table A.1); 2 where it is not listed."""
    return _EXPONENTS.get(currency, 2)


def minor(units: int, currency: str) -> int:
    """Whole currency units as minor units: `minor(20, "USD")` is 2000, `minor(1000, "JPY")` is 1000."""
    return units * int(10 ** exponent(currency))


def show(amount: int, currency: str) -> str:
    """Minor units as people write them: `show(123456, "USD")` is `1,234.56 USD`."""
    digits = exponent(currency)
    sign = "-" if amount < 0 else ""
    whole, rest = divmod(abs(amount), int(10**digits))
    return f"{sign}{whole:,}" + (f".{rest:0{digits}d}" if digits else "") + f" {currency}"
