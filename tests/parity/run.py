"""All live comparisons with Python, one TAP stream. Needs requirements.txt; REEL names the command, REEL_GRADIENTS and REEL_PIXELS the helpers."""
import common as c
import forms_parity
import hub_parity
import low_parity
import model_parity
import predict_parity
import processor_parity
import push_parity
import train_parity

for part in (model_parity, forms_parity, low_parity, train_parity, predict_parity, processor_parity, hub_parity, push_parity):
    try:
        part.main()
    except Exception as e:  # one broken part must not hide the others
        c.report(False, part.__name__, f"{type(e).__name__}: {str(e)[:2000]}")
c.finish()
