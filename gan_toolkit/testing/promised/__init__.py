"""The promises, a module or more for each kind of component; `checking` says in which order."""
