"""What the book asks of the core: tables, claims, pictures and the analyses of single chapters."""
