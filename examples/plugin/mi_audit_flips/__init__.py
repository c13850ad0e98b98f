"""A plug-in package for mi-audit: one feature and one attack from outside.

Install it beside mi-audit, and its names are there::

    pip install examples/plugin
    mi-audit list features
    mi-audit extract --model net.pt --data cifar100 --features flip-consistency --out features.npz
    mi-audit train-attack features.npz --on flip-consistency --attack gaussian,naive --out attack.npz
    mi-audit evaluate features.npz attack.npz
    mi-audit evaluate --model net.pt --data cifar100 --on flip-consistency --attack gaussian

How it is found: ``pyproject.toml`` names a class for each under ``mi_audit.features`` and ``mi_audit.attacks``. The
other rooms work alike: ``mi_audit.datasets``, ``mi_audit.targets``, ``mi_audit.controls``, ``mi_audit.reports``.

How to write your own: subclass the interface of the room (``mi_audit.features.interface.Feature``,
``mi_audit.attacks.interface.Attack``) as a frozen dataclass; its fields are its options, which
``--set gaussian.shrinkage=0.2`` reads by their types. Import from the interfaces, ``mi_audit.errors``,
``mi_audit.store`` and ``mi_audit.target_model`` only: modules whose names begin with an underscore may change.

What a plug-in gets for nothing: batching, the device, resuming, the split into known and held-out samples, one attack
per class where asked, baselines, intervals, controls, verdict and reports. What it owes: no random numbers but those of
the generator that it is given; the same bytes for the same attack; and the polarity: a larger score means member.
"""
