"""What is asked and answered, whoever asks and whoever answers: it knows no API and no kind of upstream.

`service.py` begins a turn with an `Ask` (`ask.py`); `failover.py` has it answered by the first of the upstreams that
can (`upstream.py` is their interface); `answer_writer.py` passes the text on.
"""
