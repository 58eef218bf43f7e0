"""The demo clinic: made-up people, a theatre list, a year of past cases, and a scripted day.

It lives in the top floor's `management` drawer, since it uses every floor and nothing may import it.
"""
