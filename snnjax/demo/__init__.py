"""`python -m snnjax.demo`: train a spiking network, and find a neuron's parameters in a recording of it."""
