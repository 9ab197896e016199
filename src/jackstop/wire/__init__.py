"""What everything that speaks to other systems has in common: whom it believes, and how it signs."""
