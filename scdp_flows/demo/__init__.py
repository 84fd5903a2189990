"""The few structures that the demo and the shipped model are made from."""
