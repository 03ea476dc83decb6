"""One module a group of figures: `FIGURES`, and `measure(rows)`, which yields a round whenever it is asked for one."""
