"""Parameters and networks of other libraries: each module converts between one of them and snnjax."""
