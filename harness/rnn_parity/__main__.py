"""`python -m rnn_parity`."""

from rnn_parity.cli import main

if __name__ == "__main__":
    main()
