"""Where promises are tried: small data, networks, plays and exams, and nothing outside of them."""
