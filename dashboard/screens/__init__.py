"""The pages, a module each. Not in a folder `pages`: Streamlit would serve the files there by itself, unasked."""
