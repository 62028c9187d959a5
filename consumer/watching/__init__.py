"""Parts that stand still: found, told, and begun anew."""
