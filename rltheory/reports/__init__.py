"""Reports: numbers and tables as text, verdict tables, pictures, the atlas of claims."""
