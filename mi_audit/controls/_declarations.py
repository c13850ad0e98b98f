"""What a user may declare about the data (``--declare``), since no file tells it."""

SELECTION = "non-members-used-for-selection"
TRAINING = "non-members-used-for-training"
PURITY = "members-not-all-trained-on"
REFERENCE = "reference-models-saw-members"
PIPELINE = "sides-prepared-differently"

DECLARATIONS: dict[str, str] = {
    SELECTION: "epochs or settings of the target were chosen by its accuracy on the non-members",
    TRAINING: "the target was trained on some of the non-members",
    PURITY: "the target was not trained on all of the members",
    REFERENCE: "models that attacks refer to were trained on members without saying on which",
    PIPELINE: "members and non-members were decoded, resized or compressed in different ways",
}
